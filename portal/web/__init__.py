"""What every HTML edge shares: rendering, access, error pages, filters, security headers, languages."""
