"""One module and one blueprint per section; `portal/admin/sections.py` is the table of them."""
