// Package console is the web console of the network observer: static files
// embedded in the program and the handler that serves them. What a page shows
// it asks of the API, below the same path as itself; nothing is rendered here,
// and nothing comes from elsewhere.
//
// It is not where it is decided who may see the console: that is
// observer/access, which stands in front of this handler.
//
//	static/index.html   the frame; names every module of the first paint, so
//	                    that the browser asks for them all at once
//	static/js           our code, ES modules as they are written, one idea each
//	static/js/page      one module per page, loaded when it is first opened
//	static/vendor       libraries from npm, made by make console
//
// The policy of the pages lets only files of the console run: no inline script
// or style, no evaluated text, no other host, and the sinks that parse text as
// markup are closed (trusted types).
package console
