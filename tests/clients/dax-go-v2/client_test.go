// Package daxgo2 tests the DAX client for Go on the AWS SDK v2.
package daxgo2

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	client "github.com/aws/aws-dax-go-v2/dax"
	"github.com/aws/aws-sdk-go-v2/aws"
	_ "github.com/aws/aws-sdk-go-v2/credentials" // for the README's snippet
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"forebay/clients/dax"
)

func TestMain(m *testing.M) { dax.Main(m, connect) }

func TestClient(t *testing.T) {
	dax.Run(t, connect, dax.Traits{EndsReachTheCaller: true, InReadme: true})
}

func connect(how dax.How) (dax.Client, error) {
	config := client.DefaultConfig()
	config.HostPorts, config.Region = []string{how.Endpoint}, "us-east-1"
	config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		id, secret := how.Key()
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, nil
	})
	config.ReadRetries, config.WriteRetries = how.Retries, how.Retries
	if how.NoHealthChecks {
		config.ClientHealthCheckInterval = time.Hour
	}
	made, err := client.New(config)
	if err != nil {
		return nil, err
	}
	return adapter{made}, nil
}

// adapter is the client in terms of DynamoDB's JSON.
type adapter struct{ *client.Dax }

func (a adapter) Call(ctx context.Context, operation string, input dax.Object) (dax.Object, error) {
	switch operation {
	case "GetItem":
		return run(ctx, a.GetItem, input)
	case "PutItem":
		return run(ctx, a.PutItem, input)
	case "UpdateItem":
		return run(ctx, a.UpdateItem, input)
	case "DeleteItem":
		return run(ctx, a.DeleteItem, input)
	case "Query":
		return run(ctx, a.Query, input)
	case "Scan":
		return run(ctx, a.Scan, input)
	case "BatchGetItem":
		return run(ctx, a.BatchGetItem, input)
	case "BatchWriteItem":
		return run(ctx, a.BatchWriteItem, input)
	case "TransactGetItems":
		return run(ctx, a.TransactGetItems, input)
	case "TransactWriteItems":
		return run(ctx, a.TransactWriteItems, input)
	default:
		return nil, fmt.Errorf("the client has no %s", operation)
	}
}

func run[I, O any](
	ctx context.Context, do func(context.Context, *I, ...func(*dynamodb.Options)) (*O, error), input dax.Object,
) (dax.Object, error) {
	typed := new(I)
	if err := read(input, reflect.ValueOf(typed).Elem()); err != nil {
		return nil, err
	}
	answer, err := do(ctx, typed)
	if err != nil {
		return nil, failure(err)
	}
	return written(reflect.ValueOf(answer)).(dax.Object), nil
}

func failure(err error) error {
	var service smithy.APIError
	if !errors.As(err, &service) {
		return err
	}
	// The client puts the error's name, as the SDK shows it, before the message.
	_, message, found := strings.Cut(service.ErrorMessage(), service.ErrorCode()+": ")
	if !found {
		message = service.ErrorMessage()
	}
	told := &dax.Failure{Code: service.ErrorCode(), Message: message}
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		for _, reason := range cancelled.CancellationReasons {
			told.Reasons = append(told.Reasons, written(reflect.ValueOf(reason)))
		}
	}
	return told
}
