package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

const (
	statusOK      = "ok"
	statusFailed  = "failed"
	statusSkipped = "skipped"
)

// A finding is what came of a check.
type finding struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"` // of a check that failed
	blocks bool   // later checks that need this one are skipped
}

// A report is the document that -json prints.
type report struct {
	OK     bool      `json:"ok"`              // no check failed
	Accid  string    `json:"accid,omitempty"` // that the kit account is bound to
	Checks []finding `json:"checks"`
}

// A reporter prints findings as they come, or one document of them all.
type reporter struct {
	out    io.Writer
	asJSON bool
	report report
	failed int
}

func newReporter(out io.Writer, asJSON bool) *reporter { return &reporter{out: out, asJSON: asJSON} }

func (r *reporter) add(f finding) error {
	r.report.Checks = append(r.report.Checks, f)
	if f.Status == statusFailed {
		r.failed++
	}
	if r.asJSON {
		return nil
	}
	line := fmt.Sprintf("%-9s %s: %s", f.Name, f.Status, f.Detail)
	if f.Remedy != "" {
		line += ". " + f.Remedy
	}
	_, err := fmt.Fprintln(r.out, line)
	return err
}

// finish prints the document, and fails if a check failed.
func (r *reporter) finish(accid string) error {
	if r.asJSON {
		r.report.OK, r.report.Accid = r.failed == 0, accid
		encoder := json.NewEncoder(r.out)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(r.report); err != nil {
			return err
		}
	}
	if r.failed > 0 {
		return fmt.Errorf("%d of %d checks failed", r.failed, len(r.report.Checks))
	}
	return nil
}

// mask replaces the secrets in text, also in the ways that an error quotes them.
func mask(text string, secrets []string) string {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		quoted := strings.Trim(strconv.Quote(secret), `"`)
		ascii := strings.Trim(strconv.QuoteToASCII(secret), `"`)
		for _, form := range []string{secret, quoted, ascii, url.QueryEscape(secret), url.PathEscape(secret)} {
			text = strings.ReplaceAll(text, form, "***")
		}
	}
	return text
}

// oneLine replaces what would end the line, or confuse a terminal.
func oneLine(text string) string {
	text = strings.ReplaceAll(text, "\n", "; ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}
