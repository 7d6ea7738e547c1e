package main

import (
	"debug/buildinfo"
	"runtime/debug"
	"strings"
)

// document is a software bill of materials in SPDX 2.3.
type document struct {
	Version       string         `json:"spdxVersion"`
	DataLicense   string         `json:"dataLicense"`
	ID            string         `json:"SPDXID"`
	Name          string         `json:"name"`
	Namespace     string         `json:"documentNamespace"`
	Creation      creation       `json:"creationInfo"`
	Packages      []material     `json:"packages"`
	Relationships []relationship `json:"relationships"`
}

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type material struct {
	ID        string      `json:"SPDXID"`
	Name      string      `json:"name"`
	Version   string      `json:"versionInfo"`
	Location  string      `json:"downloadLocation"`
	Analyzed  bool        `json:"filesAnalyzed"`
	Declared  string      `json:"licenseDeclared"`
	Concluded string      `json:"licenseConcluded"`
	Copyright string      `json:"copyrightText"`
	Refs      []reference `json:"externalRefs,omitempty"`
}

type reference struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

const (
	unknown = "NOASSERTION"
	ours    = "SPDXRef-skupper"
)

// bill says what the program was built from, as the program itself records it.
func (r release) bill(info *buildinfo.BuildInfo) document {
	d := document{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: "SPDXRef-DOCUMENT",
		Name:          "skupper-" + r.version + "-" + r.arch,
		Namespace:     "https://" + info.Main.Path + "/sbom/" + r.version + "/" + r.arch,
		Creation:      creation{Created: r.time.Format("2006-01-02T15:04:05Z"), Creators: []string{"Tool: skupper-pack"}},
		Relationships: []relationship{{"SPDXRef-DOCUMENT", "DESCRIBES", ours}},
	}
	main := part(ours, debug.Module{Path: info.Main.Path, Version: r.version})
	main.Declared, main.Concluded = "Apache-2.0", "Apache-2.0"
	d.Packages = append(d.Packages, main, part("SPDXRef-go", debug.Module{Path: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go")}))
	d.Relationships = append(d.Relationships, relationship{ours, "DEPENDS_ON", "SPDXRef-go"})
	for _, m := range info.Deps {
		id := "SPDXRef-" + strings.NewReplacer("/", "-", "_", "-", "~", "-").Replace(m.Path)
		d.Packages = append(d.Packages, part(id, *m))
		d.Relationships = append(d.Relationships, relationship{ours, "DEPENDS_ON", id})
	}
	return d
}

func part(id string, m debug.Module) material {
	return material{
		ID: id, Name: m.Path, Version: m.Version, Location: unknown,
		Declared: unknown, Concluded: unknown, Copyright: unknown,
		Refs: []reference{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + m.Path + "@" + m.Version}},
	}
}
