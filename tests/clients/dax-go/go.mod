module forebay/clients/dax-go

go 1.24

require (
	forebay/clients/dax v0.0.0
	github.com/aws/aws-dax-go v1.2.14
	// The newest SDK that this client still builds with: later ones have operations that its type lacks.
	github.com/aws/aws-sdk-go v1.50.0
)

require (
	github.com/antlr/antlr4 v0.0.0-20181218183524-be58ebffde8e // indirect
	github.com/gofrs/uuid v4.4.0+incompatible // indirect
	github.com/jmespath/go-jmespath v0.4.0 // indirect
)

replace forebay/clients/dax => ../_go
