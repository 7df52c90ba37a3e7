"""The HTML report of a run: read the folder, choose what fits a page, render it into one file that opens offline."""
