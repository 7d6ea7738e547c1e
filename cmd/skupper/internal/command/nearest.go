package command

// farthest is the largest edit distance at which a word is still proposed.
const farthest = 2

// nearest returns the word closest to what was typed, or "" when none is
// close. A word shorter than three letters is never guessed.
func nearest(typed string, words []string) string {
	best, at := "", farthest+1
	if len(typed) < 3 {
		return ""
	}
	for _, w := range words {
		if d := distance(typed, w); d < at {
			best, at = w, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
