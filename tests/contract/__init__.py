"""Contract suites: what each stand-in and gateway must answer."""
