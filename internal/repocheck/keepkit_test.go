package repocheck

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// A row of the READMEs' tables of errors: the number, where there is one, the
// name of the Code, and what KeepKit makes of it.
var errorRow = regexp.MustCompile("(?m)^\\| (?:(-?\\d+) )?`(Err\\w+)`.* \\| ([^|]+) \\|$")

// What the tables say of KeepKit is what it does after a try that fails with
// that Code.
func TestReadmesKnowKeepKit(t *testing.T) {
	chinese := errorRow.FindAllStringSubmatch(read(t, "README.zh-CN.md"), -1)
	codes := map[string]engine.Code{}
	for _, row := range chinese {
		number, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatalf("the number of %s: %v", row[2], err)
		}
		codes[row[2]] = engine.Code(number)
	}
	english := errorRow.FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(chinese) != 19 || len(english) < 8 {
		t.Fatalf("found %d and %d rows, want all 19 Codes in Chinese and 8 or more in English", len(chinese), len(english))
	}
	for _, row := range append(chinese, english...) {
		name, cell := row[2], row[3]
		code := codes[name]
		always := cell == "tries again" || cell == "重试"
		withSource := always || strings.HasPrefix(cell, "tries again if there is a `KitToken`") || strings.HasPrefix(cell, "设置了 `KitToken` 时重试")
		if !withSource && !strings.HasPrefix(cell, "returns it") && !strings.HasPrefix(cell, "返回") {
			t.Errorf("%s: this test does not understand %q", name, cell)
		}
		if got := keepKitTriesAgain(t, code, true); got != withSource {
			t.Errorf("%s, with a KitToken: it tries again: %v; the README says %q", name, got, cell)
		}
		if got := keepKitTriesAgain(t, code, false); got != always {
			t.Errorf("%s, without a KitToken: it tries again: %v; the README says %q", name, got, cell)
		}
	}
}

// keepKitTriesAgain reports whether KeepKit logs the kit in after a first try
// that failed with that Code.
func keepKitTriesAgain(t *testing.T, code engine.Code, source bool) (again bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		device, account := cloud(t)
		o := &engine.Options{Mode: engine.AutoLogin}
		if source {
			token := account.Token
			o.KitToken = func(context.Context, string, string) (string, error) { return token, nil }
			account.Token = ""
		}
		e, err := engine.New(device, "app1", o)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		device.Fail("Authenticate", code)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		switch err := e.KeepKit(ctx, account); {
		case errors.Is(err, context.DeadlineExceeded): // it kept the login that the second try made
			again = e.Status().State == engine.KitLoggedIn
		case code == engine.ErrClosed && errors.Is(err, engine.ErrInterrupted): // Close ended it
		case !errors.Is(err, code):
			t.Errorf("KeepKit: got %v, want %v", err, code)
		}
	})
	return again
}
