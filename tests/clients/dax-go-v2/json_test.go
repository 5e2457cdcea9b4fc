package daxgo2

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"forebay/clients/dax"
)

// The SDK keeps its JSON to itself, so its types are made of JSON here, and JSON of them, field by field.

// members are the types of an attribute value, by their name in JSON.
var members = map[string]reflect.Type{}

func init() {
	for _, member := range []types.AttributeValue{
		&types.AttributeValueMemberB{}, &types.AttributeValueMemberBOOL{}, &types.AttributeValueMemberBS{}, &types.AttributeValueMemberL{},
		&types.AttributeValueMemberM{}, &types.AttributeValueMemberN{}, &types.AttributeValueMemberNS{}, &types.AttributeValueMemberNULL{},
		&types.AttributeValueMemberS{}, &types.AttributeValueMemberSS{},
	} {
		of := reflect.TypeOf(member).Elem()
		members[strings.TrimPrefix(of.Name(), "AttributeValueMember")] = of
	}
}

var attributeValue = reflect.TypeFor[types.AttributeValue]()

// read makes a value of JSON.
func read(json any, into reflect.Value) error {
	switch {
	case into.Type() == attributeValue:
		for kind, inner := range json.(dax.Object) {
			of, known := members[kind]
			if !known {
				return fmt.Errorf("%s is no type of values", kind)
			}
			made := reflect.New(of)
			into.Set(made)
			return read(inner, made.Elem().FieldByName("Value"))
		}
		return fmt.Errorf("a value of no type")
	case into.Kind() == reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return read(json, into.Elem())
	case into.Kind() == reflect.Struct:
		for name, inner := range json.(dax.Object) {
			field := into.FieldByName(name)
			if !field.IsValid() {
				return fmt.Errorf("%s has no field %s", into.Type(), name)
			}
			if err := read(inner, field); err != nil {
				return err
			}
		}
		return nil
	case into.Kind() == reflect.Map:
		into.Set(reflect.MakeMap(into.Type()))
		for name, inner := range json.(dax.Object) {
			made := reflect.New(into.Type().Elem()).Elem()
			if err := read(inner, made); err != nil {
				return err
			}
			into.SetMapIndex(reflect.ValueOf(name), made)
		}
		return nil
	case into.Type() == reflect.TypeFor[[]byte]():
		bytes, err := base64.StdEncoding.DecodeString(json.(string))
		into.SetBytes(bytes)
		return err
	case into.Kind() == reflect.Slice:
		list, ok := json.([]any)
		if !ok {
			return fmt.Errorf("%T is no list", json)
		}
		into.Set(reflect.MakeSlice(into.Type(), len(list), len(list)))
		for at, inner := range list {
			if err := read(inner, into.Index(at)); err != nil {
				return err
			}
		}
		return nil
	default:
		into.Set(reflect.ValueOf(json).Convert(into.Type()))
		return nil
	}
}

// written is a value as JSON.
func written(value reflect.Value) any {
	switch {
	case value.Type() == attributeValue:
		if value.IsNil() {
			return nil
		}
		member := value.Elem().Elem()
		return dax.Object{strings.TrimPrefix(member.Type().Name(), "AttributeValueMember"): written(member.FieldByName("Value"))}
	case value.Kind() == reflect.Pointer:
		if value.IsNil() {
			return nil
		}
		return written(value.Elem())
	case value.Kind() == reflect.Struct:
		object := dax.Object{}
		for at := range value.NumField() {
			name := value.Type().Field(at).Name
			if name == "ResultMetadata" || !value.Type().Field(at).IsExported() {
				continue
			}
			if inner := written(value.Field(at)); inner != nil {
				object[name] = inner
			}
		}
		return object
	case value.Kind() == reflect.Map:
		if value.IsNil() {
			return nil
		}
		object := dax.Object{}
		for _, name := range value.MapKeys() {
			object[name.String()] = written(value.MapIndex(name))
		}
		return object
	case value.Type() == reflect.TypeFor[[]byte]():
		return base64.StdEncoding.EncodeToString(value.Bytes())
	case value.Kind() == reflect.Slice:
		if value.IsNil() {
			return nil
		}
		list := make([]any, value.Len())
		for at := range list {
			list[at] = written(value.Index(at))
		}
		return list
	case value.Kind() == reflect.String:
		return value.String()
	default:
		return value.Interface()
	}
}
