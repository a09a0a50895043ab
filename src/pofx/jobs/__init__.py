"""Jobs: long runs of a query over documents, which write a file of rows and can be stopped and resumed."""
