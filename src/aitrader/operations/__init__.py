"""Operating the scanner: what was published is read, compared, explained and judged by the KPI table."""
