package main

import "testing"

func TestPackageVersionsCompare(t *testing.T) {
	t.Parallel()
	for described, want := range map[string]string{
		"2.0.0":                 "2.0.0",
		"v2.0.0":                "2.0.0",
		"2.1.0-rc1":             "2.1.0",
		"v2.0.0-3-gab12cd":      "2.0.0+3.gab12cd",
		"2.0.0-3-gab12cd-dirty": "2.0.0+3.gab12cd",
		"0884a9c":               "0~g0884a9c",
		"f2c4937-dirty":         "0~gf2c4937",
	} {
		if got := packageVersion(described); got != want {
			t.Errorf("%s: %s, want %s", described, got, want)
		}
	}
}
