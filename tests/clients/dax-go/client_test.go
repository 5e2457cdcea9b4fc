// Package daxgo tests the DAX client for Go on the AWS SDK v1.
package daxgo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	client "github.com/aws/aws-dax-go/dax"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/private/protocol/json/jsonutil"
	"github.com/aws/aws-sdk-go/service/dynamodb"

	"forebay/clients/dax"
)

func TestMain(m *testing.M) { dax.Main(m, connect) }

func TestClient(t *testing.T) { dax.Run(t, connect, dax.Traits{}) }

// keys asks for the key at every use.
type keys struct{ key func() (id, secret string) }

func (k keys) Retrieve() (credentials.Value, error) {
	id, secret := k.key()
	return credentials.Value{AccessKeyID: id, SecretAccessKey: secret}, nil
}

func (k keys) IsExpired() bool { return true }

func connect(how dax.How) (dax.Client, error) {
	config := client.DefaultConfig()
	config.HostPorts, config.Region = []string{how.Endpoint}, "us-east-1"
	config.Credentials = credentials.NewCredentials(keys{how.Key})
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
		return run(ctx, a.GetItemWithContext, input)
	case "PutItem":
		return run(ctx, a.PutItemWithContext, input)
	case "UpdateItem":
		return run(ctx, a.UpdateItemWithContext, input)
	case "DeleteItem":
		return run(ctx, a.DeleteItemWithContext, input)
	case "Query":
		return run(ctx, a.QueryWithContext, input)
	case "Scan":
		return run(ctx, a.ScanWithContext, input)
	case "BatchGetItem":
		return run(ctx, a.BatchGetItemWithContext, input)
	case "BatchWriteItem":
		return run(ctx, a.BatchWriteItemWithContext, input)
	case "TransactGetItems":
		return run(ctx, a.TransactGetItemsWithContext, input)
	case "TransactWriteItems":
		return run(ctx, a.TransactWriteItemsWithContext, input)
	default:
		return nil, fmt.Errorf("the client has no %s", operation)
	}
}

func run[I, O, R any](
	ctx context.Context, do func(aws.Context, *I, ...R) (*O, error), input dax.Object,
) (dax.Object, error) {
	written, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	typed := new(I)
	if err := jsonutil.UnmarshalJSON(typed, bytes.NewReader(written)); err != nil {
		return nil, err
	}
	answer, err := do(ctx, typed)
	if err != nil {
		return nil, failure(err)
	}
	return object(answer)
}

// object is an answer as JSON.
func object(answer any) (dax.Object, error) {
	written, err := jsonutil.BuildJSON(answer)
	if err != nil {
		return nil, err
	}
	output := dax.Object{}
	return output, json.Unmarshal(written, &output)
}

func failure(err error) error {
	var service awserr.RequestFailure
	if !errors.As(err, &service) {
		return err
	}
	told := &dax.Failure{Code: service.Code(), Message: service.Message()}
	var cancelled *dynamodb.TransactionCanceledException
	if errors.As(err, &cancelled) {
		for _, reason := range cancelled.CancellationReasons {
			said, err := object(reason)
			if err != nil {
				return err
			}
			told.Reasons = append(told.Reasons, said)
		}
	}
	return told
}
