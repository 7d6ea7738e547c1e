package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/observer/query"
	"github.com/skupper-host/skupper/observer/record"
)

// route is a path below Prefix.
type route struct {
	path  string
	serve func(*API, http.ResponseWriter, *http.Request)
}

// rows returns a list as the network has it now.
type rows[T any] func(*network.Network) []*T

// routes lists the paths; openapi.yaml describes the same ones.
func routes() []route {
	sites, routers := query.Compile[record.Site](true), query.Compile[record.Router](true)
	processes, pairs := query.Compile[record.Process](true, "services"), query.Compile[record.Pair](true)
	connections, services := query.Compile[record.Connection](true), query.Compile[record.Service](true)
	isService := func(n *network.Network, id string) bool {
		_, ok := services.Find(n.Services(), id)
		return ok
	}
	var all []route
	add := func(path string, serve func(*API, http.ResponseWriter, *http.Request)) {
		all = append(all, route{path, serve})
	}
	of := func(more []route) { all = append(all, more...) }

	of(collection("sites", sites, (*network.Network).Sites))
	add("sites/{id}/processes", below(processes, nil, func(n *network.Network, site string) []*record.Process {
		return only(n.Processes(), func(p *record.Process) bool { return p.SiteID == site })
	}))
	add("sites/{id}/routers", below(routers, nil, func(n *network.Network, site string) []*record.Router {
		return only(n.Routers(), func(r *record.Router) bool { return r.SiteID == site })
	}))
	// compat: hosts are no more, and still asked for.
	noHosts := func(*network.Network) []*record.Site { return nil }
	add("sites/{id}/hosts", list(sites, noHosts))
	of(collection("hosts", sites, noHosts))
	of(collection("routers", routers, (*network.Network).Routers))
	of(collection("routerlinks", query.Compile[record.RouterLink](true), (*network.Network).RouterLinks))
	of(collection("routeraccess", query.Compile[record.RouterAccess](true), (*network.Network).RouterAccesses))
	of(collection("listeners", query.Compile[record.Listener](true), (*network.Network).Listeners))
	of(collection("connectors", query.Compile[record.Connector](true), (*network.Network).Connectors))
	of(collection("services", services, (*network.Network).Services))
	add("services/{id}/processes", below(processes, isService, (*network.Network).ServiceProcesses))
	add("services/{id}/processpairs", below(pairs, isService, (*network.Network).ServicePairs))
	add("services/{id}/connections", below(connections, isService, func(n *network.Network, service string) []*record.Connection {
		return only(n.Connections(), func(c *record.Connection) bool { return c.ServiceID == service })
	}))
	of(collection("components", query.Compile[record.Component](true), (*network.Network).Components))
	of(collection("processes", processes, (*network.Network).Processes))
	of(collection("sitepairs", pairs, (*network.Network).SitePairs))
	of(collection("componentpairs", pairs, (*network.Network).ComponentPairs))
	of(collection("processpairs", pairs, (*network.Network).ProcessPairs))
	of(collection("connections", connections, (*network.Network).Connections))
	of(collection("applicationflows", query.Compile[record.ApplicationFlow](true), (*network.Network).Requests))
	of(collection("sources", query.Compile[record.Source](true), (*network.Network).Sources))
	of(collection("logs", query.Compile[record.Log](false), (*network.Network).Logs))
	return all
}

// collection is a list and the records in it.
func collection[T any](path string, table *query.Table[T], all rows[T]) []route {
	return []route{
		{path, list(table, all)},
		{path + "/{id}", func(a *API, w http.ResponseWriter, r *http.Request) {
			if one, ok := table.Find(all(a.o.Network), r.PathValue("id")); ok {
				reply(w, http.StatusOK, struct {
					Results *T `json:"results"`
				}{one})
				return
			}
			notFound(w)
		}},
	}
}

func list[T any](table *query.Table[T], all rows[T]) func(*API, http.ResponseWriter, *http.Request) {
	return func(a *API, w http.ResponseWriter, r *http.Request) { answer(w, r, table, all(a.o.Network)) }
}

// below is a list that belongs to the record whose id is in the path. If known
// is given, an id that it does not know is not found.
func below[T any](table *query.Table[T], known func(*network.Network, string) bool, all func(*network.Network, string) []*T) func(*API, http.ResponseWriter, *http.Request) {
	return func(a *API, w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		if known != nil && !known(a.o.Network, id) {
			notFound(w)
			return
		}
		answer(w, r, table, all(a.o.Network, id))
	}
}

// answer writes the rows of a list that a request asks for.
func answer[T any](w http.ResponseWriter, r *http.Request, table *query.Table[T], all []*T) {
	q := query.Parse(r.URL.Query(), time.Now())
	page, err := table.Select(all, &q)
	var wrong *query.Error
	switch {
	case errors.As(err, &wrong):
		fail(w, http.StatusBadRequest, "", wrong.Error())
	case err != nil:
		fail(w, http.StatusInternalServerError, "ErrInternal", err.Error())
	default:
		replyPage(w, r, page.Rows, page.Total)
	}
}

// only returns the rows that are wanted.
func only[T any](rows []*T, wanted func(*T) bool) []*T {
	var out []*T
	for _, r := range rows {
		if wanted(r) {
			out = append(out, r)
		}
	}
	return out
}
