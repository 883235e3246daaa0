package accounts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Decode decodes text, which must be exactly one JSON value, into v. Errors name
// the line or the field.
func Decode(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return explainJSON(err, text)
	}
	if rest := bytes.TrimLeft(text[d.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return fmt.Errorf("line %d: there is text after the JSON value", lineAt(text, int64(len(text)-len(rest))))
	}
	return checkFields(text, v)
}

// checkFields refuses what encoding/json accepts: a field whose name differs in
// letter case, and a field that appears twice.
func checkFields(text []byte, v any) error {
	seen := map[string]bool{} // has a key for each known field
	for _, field := range reflect.VisibleFields(reflect.TypeOf(v).Elem()) {
		seen[field.Tag.Get("json")] = false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if brace, err := d.Token(); err != nil || brace != json.Delim('{') {
		return err // nil for null, which has no fields
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		switch twice, known := seen[name]; {
		case !known:
			return fmt.Errorf("unknown field %q", name)
		case twice:
			return fmt.Errorf("the field %q appears twice", name)
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
	}
	return nil
}

func explainJSON(err error, text []byte) error {
	var (
		syntax *json.SyntaxError
		kind   *json.UnmarshalTypeError
	)
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: invalid JSON: %w", lineAt(text, syntax.Offset), err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("line %d: invalid JSON: it ends too early", lineAt(text, int64(len(text))))
	case errors.As(err, &kind) && kind.Field == "":
		return fmt.Errorf("want a JSON object, not a JSON %s", kind.Value)
	case errors.As(err, &kind):
		return fmt.Errorf("%s must not be a JSON %s", kind.Field, kind.Value)
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: ")) // an unknown field
}

func lineAt(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(int(offset), len(text))], []byte("\n"))
}
