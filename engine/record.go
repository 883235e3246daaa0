package engine

import (
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/google/uuid"
)

// This file has the forms of a Status that machines read: JSON, and a group of
// attributes in slog. Both have the same keys and values.

// A field is one key of a Status, in either form. A group has a []field as its
// value.
type field struct {
	key   string
	value any
}

// MarshalJSON returns the Status as a JSON object. Empty ids are left out, and
// so is cause where there is none. It never has a token.
func (s Status) MarshalJSON() ([]byte, error) { return marshalFields(s.fields()) }

// LogValue implements slog.LogValuer. It is a group with the keys and values of
// the JSON.
func (s Status) LogValue() slog.Value { return groupOf(s.fields()) }

func (s Status) fields() []field {
	f := append(make([]field, 0, 12),
		field{"seq", s.Seq},
		field{"state", s.State.String()},
		field{"via", string(s.Via)},
		field{"floor", s.Floor.String()},
		field{"online", s.Online},
		field{"reused", s.Reused()})
	if s.Session != uuid.Nil {
		f = append(f, field{"session", s.Session.String()})
	}
	f = appendText(f, "accid", s.Accid)
	f = appendText(f, "userUuid", s.UserUUID)
	f = append(f, field{"anonymous", s.Anonymous}, field{"expired", s.Expired})
	if s.Cause != nil {
		f = append(f, field{"cause", causeFields(s.Cause)})
	}
	return f
}

// causeFields describes why a login was lost. The text is the error's own; no
// error contains a token.
func causeFields(cause error) []field {
	code := CodeOf(cause)
	f := append(make([]field, 0, 4), field{"code", int64(code)}, field{"text", errorText(cause)})
	f = appendText(f, "remedy", code.Remedy())
	if kick := kickOf(cause); kick != nil {
		g := []field{{"reason", int64(kick.Reason)}}
		if kick.ClientType != 0 {
			g = append(g, field{"clientType", int64(kick.ClientType)})
		}
		f = append(f, field{"kick", appendText(g, "text", kick.Text)})
	}
	return f
}

// kickOf returns the kick in err's chain; nil: there is none, or a method of an
// error in the chain panics.
func kickOf(err error) (kick *KickError) {
	defer func() { _ = recover() }()
	errors.As(err, &kick)
	return kick
}

func appendText(f []field, key, text string) []field {
	if text == "" {
		return f
	}
	return append(f, field{key, text})
}

func groupOf(fields []field) slog.Value {
	attrs := make([]slog.Attr, 0, len(fields))
	for _, f := range fields {
		if group, ok := f.value.([]field); ok {
			attrs = append(attrs, slog.Attr{Key: f.key, Value: groupOf(group)})
		} else {
			attrs = append(attrs, slog.Any(f.key, f.value))
		}
	}
	return slog.GroupValue(attrs...)
}

// marshalFields writes an object with the fields in their order, which a map
// would lose.
func marshalFields(fields []field) ([]byte, error) {
	text := []byte{'{'}
	for i, f := range fields {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, '"')
		text = append(text, f.key...)
		text = append(text, '"', ':')
		value, err := marshalField(f.value)
		if err != nil {
			return nil, err
		}
		text = append(text, value...)
	}
	return append(text, '}'), nil
}

func marshalField(v any) ([]byte, error) {
	if group, ok := v.([]field); ok {
		return marshalFields(group)
	}
	return json.Marshal(v)
}
