let lanecheckVersion = "0.1.0"
