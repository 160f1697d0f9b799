package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// A LogLine is a record of log.jsonl.
type LogLine struct {
	Time    time.Time
	Level   string // "INFO", "WARN", ...
	Message string
	Rest    string // the other attributes as key=value, keys sorted
}

// tailBytes is how much of a log's end is looked at.
const tailBytes = 1 << 20

// TailLog reads the last n records of a file that slog's JSON handler writes.
// A line that is no JSON object is kept as a message of its own.
func TailLog(path string, n int) ([]LogLine, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-tailBytes)
	text, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if err != nil {
		return nil, err
	}
	if from > 0 {
		// The first line is most likely cut.
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	var list []LogLine
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			list = append(list, ParseLogLine(line))
		}
	}
	return list[max(0, len(list)-n):], nil
}

// ParseLogLine reads one record; what is no JSON object becomes the message.
func ParseLogLine(line []byte) LogLine {
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil {
		return LogLine{Message: string(line)}
	}
	l := LogLine{}
	take := func(key string) string {
		s, _ := fields[key].(string)
		delete(fields, key)
		return s
	}
	l.Level, l.Message = take("level"), take("msg")
	l.Time, _ = time.Parse(time.RFC3339Nano, take("time"))
	keys := make([]string, 0, len(fields))
	for key := range fields {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	parts := make([]string, len(keys))
	for i, key := range keys {
		parts[i] = fmt.Sprintf("%s=%v", key, fields[key])
	}
	l.Rest = strings.Join(parts, " ")
	return l
}
