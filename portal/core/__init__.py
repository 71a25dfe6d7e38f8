"""What every package stands on; knows no business word."""
