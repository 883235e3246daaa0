package gatewaydouble

import (
	"errors"
	"unicode/utf8"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcodes"
)

// A snapshot is a slot as others see it.
type snapshot struct {
	Boot    string `json:"boot"`
	Seq     int64  `json:"seq"`
	AppKey  string `json:"appKey"`
	Accid   string `json:"accid"`
	Owner   string `json:"owner"`
	Session int64  `json:"session"`
	Login   string `json:"login"`
	Link    string `json:"link"`
	Ended   *ended `json:"ended"`
}

// ended is the last session of a slot that has ended. Without a kick or an
// error it was logged out.
type ended struct {
	Session int64     `json:"session"`
	Kick    *kick     `json:"kick,omitempty"`
	Error   *sdkError `json:"error,omitempty"`
}

type kick struct {
	Reason           int    `json:"reason"`
	ReasonDesc       string `json:"reasonDesc"`
	ClientType       int    `json:"clientType"`
	CustomClientType int    `json:"customClientType"`
}

type sdkError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// endOf is how a session ends that the world has ended with cause. The world
// may do so without that: then the SDK comes back by itself, and ended is nil.
func endOf(session int64, cause error) *ended {
	if errors.Is(cause, engine.ErrKicked) {
		k := &engine.KickError{Reason: engine.KickedByServer}
		errors.As(cause, &k)
		return &ended{Session: session, Kick: &kick{Reason: int(k.Reason), ReasonDesc: shorten(k.Text), ClientType: k.ClientType}}
	}
	if code := nimcodes.Of(cause); code != nimcodes.None {
		return &ended{Session: session, Error: &sdkError{Code: code, Message: shorten(cause.Error())}}
	}
	return nil
}

// shorten leaves a text as long as the contract allows.
func shorten(text string) string {
	const longest = 500
	if utf8.RuneCountInString(text) <= longest {
		return text
	}
	return string([]rune(text)[:longest])
}

// publishLocked lets others see the slot as it is. Where they have, it is
// nothing. The words are the SDK's own.
func (s *slot) publishLocked(login, link string) {
	now := snapshot{Boot: s.run.boot, Seq: s.published.Seq, AppKey: s.setup.appKey, Login: login, Link: link, Ended: s.ended}
	if l := s.login; l != nil {
		now.Accid, now.Owner, now.Session = l.account.Accid, l.owner, l.session
	}
	if now == s.published {
		return
	}
	s.run.seq++
	now.Seq = s.run.seq
	s.published = now
	for reader := range s.readers {
		reader <- now
		delete(s.readers, reader)
	}
}

// endLocked ends the session that holds.
func (s *slot) endLocked(e *ended) {
	s.login, s.ended = nil, e
	s.publishLocked("logged_out", "down")
}
