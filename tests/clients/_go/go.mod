module forebay/clients/dax

go 1.24
