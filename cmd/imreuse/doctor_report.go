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

// A finding is the result of a check.
type finding struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"` // if the check failed
	blocks bool   // checks that need this one are skipped
}

// A report is the document that -json prints.
type report struct {
	OK     bool      `json:"ok"`              // no check failed
	Accid  string    `json:"accid,omitempty"` // bound to the kit account
	Checks []finding `json:"checks"`
}

// A reporter prints each finding as it comes, or all of them as one JSON
// document.
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

// finish prints the JSON document, if there is one, and fails if a check failed.
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

// mask replaces the secrets in text, also where they are quoted or escaped.
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

// oneLine replaces line ends, and control characters that confuse a terminal.
func oneLine(text string) string {
	text = strings.ReplaceAll(text, "\n", "; ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}
