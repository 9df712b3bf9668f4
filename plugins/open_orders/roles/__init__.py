"""The two roles of the orders database: the pipeline's owns our tables, the web layer's reads them."""
