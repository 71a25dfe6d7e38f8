"""Bank transfers checked by us: asked for, proved by an upload, found on our account by a person, credited."""
