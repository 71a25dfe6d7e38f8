"""The machines the apps run on: what they have, what they promise, what they use, and their maintenance."""
