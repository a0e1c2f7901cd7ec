"""What Tocsin costs: the product's own processes, measured beside floors in the same run (`make bench`)."""
