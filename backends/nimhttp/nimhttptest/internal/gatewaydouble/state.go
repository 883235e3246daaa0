package gatewaydouble

import (
	"errors"
	"unicode/utf8"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcodes"
)

// A snapshot is the published state of a slot.
type snapshot struct {
	Boot    string `json:"boot"`
	Seq     int64  `json:"seq"`
	AppKey  string `json:"appKey"`
	Accid   string `json:"accid"`
	Owner   string `json:"owner"`
	Session int64  `json:"session"`
	Login   string `json:"login"`
	Link    string `json:"link"`
	Asks    int64  `json:"asks,omitempty"`
	Ended   *ended `json:"ended"`
}

// ended describes the slot's last session that ended. Without a kick or an
// error, it was logged out.
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

// endOf describes the end of a session that the world ended with cause. It
// returns nil if the cause is only a broken connection: then the SDK reconnects
// by itself.
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

// shorten cuts a text to the length that the contract allows.
func shorten(text string) string {
	const longest = 500
	if utf8.RuneCountInString(text) <= longest {
		return text
	}
	return string([]rune(text)[:longest])
}

// publishLocked publishes the slot's state, if it has changed. login and link
// are the SDK's own words.
func (s *slot) publishLocked(login, link string) {
	now := snapshot{Boot: s.run.boot, Seq: s.published.Seq, AppKey: s.setup.appKey, Login: login, Link: link, Ended: s.ended}
	if l := s.login; l != nil {
		now.Accid, now.Owner, now.Session = l.account.Accid, l.owner, l.session
	}
	if s.question != nil {
		now.Asks = s.question.number
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

// endLocked ends the slot's session.
func (s *slot) endLocked(e *ended) {
	s.closeQuestionLocked()
	s.login, s.ended = nil, e
	s.publishLocked("logged_out", "down")
}
