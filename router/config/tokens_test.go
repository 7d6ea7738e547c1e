package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"testing"
)

// FuzzTokens compares with the decoder of the standard library.
func FuzzTokens(f *testing.F) {
	for _, text := range []string{
		`[]`, `{}`, `null`, ` [ ["a" , {"b":1,"c":-1.5e+3}],[true,false,null] ] `, `"x\"y\\"`, `["\u00e9\ud83d\ude00\ud800", "é"]`, `{"":{"":[[]]}}`, "[0,\r\n\t1]", `12`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if wellFormed(data) != nil {
			return
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		own := tokens{data: data}
		for {
			want, wantErr := d.Token()
			got, err := own.token()
			if errors.Is(wantErr, io.EOF) && errors.Is(err, io.EOF) {
				return
			}
			if err != nil || wantErr != nil || !reflect.DeepEqual(want, got) {
				t.Fatalf("token %#v, %v; the decoder has %#v, %v", got, err, want, wantErr)
			}
			if own.more() != d.More() {
				t.Fatalf("after %#v: more is %v", got, own.more())
			}
		}
	})
}

func TestEncodedValuesAreThoseOfEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, v := range []any{"", "plain 1.2:3", `a"b\c`, "<&>", "é\u2028", "\x01\x7f", int64(-7), int64(1 << 60), true, false} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		encodeValue(&b, v)
		if !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%#v is written %s, want %s", v, b.Bytes(), want)
		}
	}
}
