package session

// handlePage is the number of links in one page of a handleTable.
const handlePage = 256

// handleTable finds a link by the handle that the peer gave it. Peers count up
// from 0, so it is two slices deep instead of a map; one that jumps about costs
// a page for each jump.
type handleTable struct {
	pages []*[handlePage]*Link
}

func (t *handleTable) get(h uint32) *Link {
	if i := h / handlePage; i < uint32(len(t.pages)) && t.pages[i] != nil {
		return t.pages[i][h%handlePage]
	}
	return nil
}

// set enters l, or removes what is there if l is nil. h is at most HandleMax.
func (t *handleTable) set(h uint32, l *Link) {
	i := int(h / handlePage)
	for len(t.pages) <= i {
		t.pages = append(t.pages, nil)
	}
	if t.pages[i] == nil {
		t.pages[i] = new([handlePage]*Link)
	}
	t.pages[i][h%handlePage] = l
}

func (t *handleTable) all() []*Link {
	var links []*Link
	for _, page := range t.pages {
		if page == nil {
			continue
		}
		for _, l := range page {
			if l != nil {
				links = append(links, l)
			}
		}
	}
	return links
}
