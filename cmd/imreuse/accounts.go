package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

// This file reads the sandbox's accounts file.

type (
	accountsFile struct {
		AppKey    string            `json:"appKey"`
		AppSecret string            `json:"appSecret"`
		IM        []json.RawMessage `json:"im"` // each decoded by itself, so that an error can name it
		Kit       []json.RawMessage `json:"kit"`
	}
	imEntry struct {
		Accid string `json:"accid"`
		Token string `json:"token"`
	}
	kitEntry struct {
		UserUUID  string `json:"userUuid"`
		UserToken string `json:"userToken"`
		Accid     string `json:"accid"`
	}
)

const (
	maxAccounts = 16 << 20 // bytes of the file
	maxID       = 32       // docs/vendor/kits.md#identifiers
	maxText     = 128      // docs/vendor/http.md#im-accounts, for tokens
	idRunes     = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@.-"
)

// readAccounts reads an accounts file and returns the options of a server with
// its accounts, AppKey and AppSecret. Errors name the file and the line or the
// field, never a token.
func readAccounts(name string) (nimhttptest.Options, error) {
	text, err := readFile(name)
	if err != nil {
		return nimhttptest.Options{}, fmt.Errorf("-accounts: %w", err) // err names the file
	}
	options, err := parseAccounts(text)
	if err != nil {
		return nimhttptest.Options{}, fmt.Errorf("-accounts: %s: %w", name, err)
	}
	return options, nil
}

func readFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxAccounts+1))
	if err == nil && len(text) > maxAccounts {
		err = fmt.Errorf("%s: the file has more than %d bytes", name, maxAccounts)
	}
	return text, err
}

func parseAccounts(text []byte) (nimhttptest.Options, error) {
	var none nimhttptest.Options
	var file accountsFile
	if err := decode(text, &file); err != nil {
		return none, err
	}
	if err := checkText("appKey", file.AppKey); err != nil {
		return none, err
	}
	if file.AppSecret != "" {
		if err := checkText("appSecret", file.AppSecret); err != nil {
			return none, err
		}
	}
	world := mockim.NewService(mockim.ServiceOptions{AppKey: file.AppKey})
	accids, err := addIM(world, file.IM)
	if err != nil {
		return none, err
	}
	if err := bindKits(world, file.Kit, accids); err != nil {
		return none, err
	}
	return nimhttptest.Options{World: world, AppKey: file.AppKey, AppSecret: file.AppSecret}, nil
}

// addIM adds the IM accounts to world and returns their accids.
func addIM(world *mockim.Service, entries []json.RawMessage) (ids, error) {
	accids := ids{}
	for i, text := range entries {
		var entry imEntry
		where := fmt.Sprintf("im[%d]", i)
		if err := decode(text, &entry); err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		if err := accids.add(where+".accid", entry.Accid); err != nil {
			return nil, err
		}
		if err := checkText(where+".token", entry.Token); err != nil {
			return nil, err
		}
		world.AddIM(engine.IMAccount{Accid: entry.Accid, Token: entry.Token})
	}
	return accids, nil
}

func bindKits(world *mockim.Service, entries []json.RawMessage, accids ids) error {
	users := ids{}
	for i, text := range entries {
		var entry kitEntry
		where := fmt.Sprintf("kit[%d]", i)
		if err := decode(text, &entry); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		if err := users.add(where+".userUuid", entry.UserUUID); err != nil {
			return err
		}
		if err := checkText(where+".userToken", entry.UserToken); err != nil {
			return err
		}
		if err := checkID(where+".accid", entry.Accid); err != nil {
			return err
		}
		if _, known := accids[strings.ToLower(entry.Accid)]; !known {
			return fmt.Errorf("%s.accid %q is not among the accids in im", where, entry.Accid)
		}
		world.Bind(engine.KitAccount{UserUUID: entry.UserUUID, Token: entry.UserToken}, entry.Accid)
	}
	return nil
}

// ids maps each id that is in use, in lower case, to the field that has it.
type ids map[string]string

func (all ids) add(field, id string) error {
	if err := checkID(field, id); err != nil {
		return err
	}
	folded := strings.ToLower(id)
	if first, taken := all[folded]; taken {
		return fmt.Errorf("%s %q is the same id as %s; letter case does not count", field, id, first)
	}
	all[folded] = field
	return nil
}

func checkID(field, id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%s is missing or empty", field)
	case len(id) > maxID:
		return fmt.Errorf("%s %q has %d characters; the limit is %d", field, id, len(id), maxID)
	case strings.Trim(id, idRunes) != "":
		return fmt.Errorf("%s %q may contain only letters, digits and _ @ . -", field, id)
	}
	return nil
}

// checkText checks a value that has to fit into an HTTP header.
func checkText(field, text string) error {
	switch {
	case text == "":
		return fmt.Errorf("%s is missing or empty", field)
	case len(text) > maxText:
		return fmt.Errorf("%s has %d characters; the limit is %d", field, len(text), maxText)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("%s has a space or a character that is not printable ASCII", field)
	}
	return nil
}

// decode decodes text, which must be exactly one JSON value, into v. Errors name
// the line or the field.
func decode(text []byte, v any) error {
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
