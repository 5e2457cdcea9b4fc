// Package auction is an auction house on the AWS SDK for Go v2: lots, bids, and bidders who come at once.
package auction

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

var (
	ctx   = context.Background()
	table = aws.String("auction")
	db    *dynamodb.Client
)

type Lot struct {
	House  string            `dynamodbav:"house"`
	Lot    int               `dynamodbav:"lot"`
	Seller string            `dynamodbav:"seller,omitempty"`
	Price  float64           `dynamodbav:"price"`
	Tags   []string          `dynamodbav:"tags,stringset,omitempty"`
	Marks  map[string][]byte `dynamodbav:"marks,omitempty"`
	Sold   bool              `dynamodbav:"sold"`
}

func TestMain(m *testing.M) {
	db = dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(os.Getenv("FOREBAY_ENDPOINT")),
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
		Retryer:      aws.NopRetryer{},
	})
	attribute := func(name string, kind types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: kind}
	}
	key := func(hash, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: aws.String(hash), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(sort), KeyType: types.KeyTypeRange},
		}
	}
	_, err := db.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			attribute("house", types.ScalarAttributeTypeS), attribute("lot", types.ScalarAttributeTypeN),
			attribute("seller", types.ScalarAttributeTypeS), attribute("price", types.ScalarAttributeTypeN),
		},
		KeySchema: key("house", "lot"),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String("sellers"), KeySchema: key("seller", "price"),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}},
	})
	if err == nil {
		err = dynamodb.NewTableExistsWaiter(db, func(o *dynamodb.TableExistsWaiterOptions) {
			o.MinDelay, o.MaxDelay = 20*time.Millisecond, 200*time.Millisecond
		}).Wait(ctx, &dynamodb.DescribeTableInput{TableName: table}, 20*time.Second)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	code := m.Run()
	if _, err := db.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: table}); err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

func counter(t *testing.T, name string) float64 {
	t.Helper()
	if os.Getenv("FOREBAY_ADMIN") == "none" {
		return -1
	}
	answer, err := http.Get(os.Getenv("FOREBAY_ADMIN") + "/metrics")
	must(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	sum, found := 0.0, false
	for _, line := range strings.Split(string(body), "\n") {
		if strings.HasPrefix(line, name+" ") || strings.HasPrefix(line, name+"{") {
			value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			must(t, err)
			sum, found = sum+value, true
		}
	}
	if !found {
		t.Fatalf("%s is not among the metrics", name)
	}
	return sum
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, lot Lot) {
	t.Helper()
	item, err := attributevalue.MarshalMap(lot)
	must(t, err)
	_, err = db.PutItem(ctx, &dynamodb.PutItemInput{TableName: table, Item: item})
	must(t, err)
}

func key(house string, lot int) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"house": &types.AttributeValueMemberS{Value: house}, "lot": &types.AttributeValueMemberN{Value: strconv.Itoa(lot)},
	}
}

func get(t *testing.T, house string, lot int) (found Lot) {
	t.Helper()
	answer, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: table, Key: key(house, lot)})
	must(t, err)
	must(t, attributevalue.UnmarshalMap(answer.Item, &found))
	return found
}

func TestStructsComeBackWhole(t *testing.T) {
	lot := Lot{"vienna", 1, "eva", 12.25, []string{"art", "oil"}, map[string][]byte{"seal": {0, 1, 255}}, true}
	put(t, lot)
	if found := get(t, "vienna", 1); fmt.Sprint(found) != fmt.Sprint(lot) {
		t.Fatalf("put %v, got %v", lot, found)
	}
}

func TestARepeatedReadComesFromMemory(t *testing.T) {
	put(t, Lot{House: "hot", Lot: 1, Price: 1})
	get(t, "hot", 1)
	before := counter(t, "forebay_item_cache_hits_total")
	for range 10 {
		get(t, "hot", 1)
	}
	if before >= 0 && counter(t, "forebay_item_cache_hits_total")-before < 10 {
		t.Fatal("ten reads of one item were not ten hits")
	}
}

func TestTheHighestOfManyBidsAtOnceStands(t *testing.T) {
	put(t, Lot{House: "race", Lot: 1})
	var accepted atomic.Int32
	var group sync.WaitGroup
	for bidder := range 16 {
		group.Add(1)
		go func() {
			defer group.Done()
			for round := range 10 {
				price := expression.Value(round*16 + bidder + 1)
				bid, err := expression.NewBuilder().
					WithUpdate(expression.Set(expression.Name("price"), price).Set(expression.Name("bidder"), expression.Value(bidder))).
					WithCondition(expression.Name("price").LessThan(price)).Build()
				if err != nil {
					t.Error(err)
					return
				}
				_, err = db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
					TableName: table, Key: key("race", 1), UpdateExpression: bid.Update(), ConditionExpression: bid.Condition(),
					ExpressionAttributeNames: bid.Names(), ExpressionAttributeValues: bid.Values(),
				})
				var refused *types.ConditionalCheckFailedException
				switch {
				case err == nil:
					accepted.Add(1)
				case !errors.As(err, &refused):
					t.Error(err)
				}
			}
		}()
	}
	group.Wait()
	if found := get(t, "race", 1); found.Price != 160 || accepted.Load() < 1 {
		t.Fatalf("price is %v after %d accepted bids", found.Price, accepted.Load())
	}
}

func TestAnIndexFollowsEachWrite(t *testing.T) {
	for n := range 10 {
		put(t, Lot{House: "index", Lot: n, Seller: "adam", Price: float64(10 - n)})
		page, err := db.Query(ctx, &dynamodb.QueryInput{
			TableName: table, IndexName: aws.String("sellers"), KeyConditionExpression: aws.String("seller = :s"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":s": &types.AttributeValueMemberS{Value: "adam"}},
		})
		must(t, err)
		if int(page.Count) != n+1 {
			t.Fatalf("after %d writes the index has %d", n+1, page.Count)
		}
		if cheapest := page.Items[0]["lot"].(*types.AttributeValueMemberN).Value; cheapest != strconv.Itoa(n) {
			t.Fatalf("the cheapest is lot %s after lot %d was put", cheapest, n)
		}
	}
}

func TestPaginatorsWalkQueriesAndScans(t *testing.T) {
	for start := 0; start < 100; start += 25 {
		writes := make([]types.WriteRequest, 25)
		for n := range writes {
			item, err := attributevalue.MarshalMap(Lot{House: "bulk", Lot: start + n, Price: 1})
			must(t, err)
			writes[n] = types.WriteRequest{PutRequest: &types.PutRequest{Item: item}}
		}
		answer, err := db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*table: writes}})
		must(t, err)
		if len(answer.UnprocessedItems) != 0 {
			t.Fatal("writes were left over")
		}
	}
	keys, err := expression.NewBuilder().WithKeyCondition(expression.Key("house").Equal(expression.Value("bulk")).
		And(expression.Key("lot").Between(expression.Value(10), expression.Value(59)))).Build()
	must(t, err)
	pages, next := dynamodb.NewQueryPaginator(db, &dynamodb.QueryInput{
		TableName: table, KeyConditionExpression: keys.KeyCondition(), ExpressionAttributeNames: keys.Names(),
		ExpressionAttributeValues: keys.Values(), Limit: aws.Int32(7), ScanIndexForward: aws.Bool(false),
	}), 59
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		must(t, err)
		for _, item := range page.Items {
			if lot := item["lot"].(*types.AttributeValueMemberN).Value; lot != strconv.Itoa(next) {
				t.Fatalf("lot %s where %d was due", lot, next)
			}
			next--
		}
	}
	if next != 9 {
		t.Fatalf("the query ended before lot %d", next)
	}
	scan, seen := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{
		TableName: table, Limit: aws.Int32(13), FilterExpression: aws.String("house = :h"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":h": &types.AttributeValueMemberS{Value: "bulk"}},
	}), int32(0)
	for scan.HasMorePages() {
		page, err := scan.NextPage(ctx)
		must(t, err)
		seen += page.Count
	}
	if seen != 100 {
		t.Fatalf("the scan saw %d of 100", seen)
	}
}

func TestACancelledTransactionSaysWhy(t *testing.T) {
	put(t, Lot{House: "trans", Lot: 1, Price: 5})
	sell := func(price string) error {
		_, err := db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
			{Put: &types.Put{TableName: table, Item: key("trans", 2)}},
			{Update: &types.Update{
				TableName: table, Key: key("trans", 1), UpdateExpression: aws.String("SET sold = :t"),
				ConditionExpression:                 aws.String("price <= :p"),
				ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
				ExpressionAttributeValues: map[string]types.AttributeValue{
					":t": &types.AttributeValueMemberBOOL{Value: true}, ":p": &types.AttributeValueMemberN{Value: price},
				},
			}},
		}})
		return err
	}
	var cancelled *types.TransactionCanceledException
	if err := sell("4"); !errors.As(err, &cancelled) {
		t.Fatalf("expected a cancelled transaction, got %v", err)
	}
	if why := cancelled.CancellationReasons; *why[0].Code != "None" || *why[1].Code != "ConditionalCheckFailed" || len(why[1].Item) == 0 {
		t.Fatalf("reasons: %v", why)
	}
	must(t, sell("5"))
	if !get(t, "trans", 1).Sold {
		t.Fatal("the transaction was acknowledged and can't be read")
	}
}
