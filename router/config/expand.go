package config

import "strings"

// An Environment returns the value of an environment variable, as os.LookupEnv does.
type Environment func(name string) (string, bool)

// expand replaces every ${NAME} in the strings of v, also inside lists and
// maps. What is not set stays: policies use ${user} for a purpose of
// their own. Values put in are not looked at again.
func (env Environment) expand(v any) any {
	switch x := v.(type) {
	case string:
		return env.text(x)
	case []any:
		for i := range x {
			x[i] = env.expand(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = env.expand(x[k])
		}
	}
	return v
}

func (env Environment) text(s string) string {
	if env == nil || !strings.Contains(s, "${") {
		return s
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		value, known := "", false
		if closed {
			value, known = env(name)
		}
		if !known {
			out.WriteString("${")
			s = rest
			continue
		}
		out.WriteString(value)
		s = after
	}
}
