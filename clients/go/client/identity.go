// Package client is the library of the Go sample: identity of computations here, event streams in events.go.
//
// Every identity is BLAKE3-256 over RFC 8785 canonical JSON, written "blake3:<64 hex>"; docs/identity.md has the
// rules and proto/testdata/identity.json the vectors. What could silently split or merge identities is refused.
package client

import (
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"lukechampine.com/blake3"
)

const (
	intervalSecondsMax = 604_800
	periodMax          = 10_000
	paramsDepthMax     = 32
	integerMax         = 1<<53 - 1
	tagQuery           = "TagQuery"
	tagQueryCode       = "builtin:tagquery@1.0"
)

var (
	nodeIDForm   = regexp.MustCompile(`^blake3:[0-9a-f]{64}$`)
	codeHashForm = regexp.MustCompile(`^(py1:[0-9a-f]{64}|builtin:[a-z][a-z0-9_.]*@[0-9]+\.[0-9]+)$`)
	otherCode    = regexp.MustCompile(`^[a-z][a-z0-9_+-]*:[^\s\x00-\x1f]{1,200}$`)
	tagForm      = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
	contextKeys  = []string{
		"world", "worlds", "worldid", "worldids", "executiondomain", "executionmode", "effectivemode",
		"asof", "partition", "datasetfingerprint", "env", "environment",
	}
)

// NodeSpec is what a node computes: the fields its NodeID is the hash of. 0 means none for IntervalS and Period.
type NodeSpec struct {
	NodeType       string
	IntervalS      int64
	Period         int64
	Params         map[string]any // nil, bool, float64, string, []any, map[string]any
	Dependencies   []string
	SchemaCompatID string
	CodeHash       string
}

// FieldError is a refusal of one field of a spec (E_NODE_ID_FIELDS).
type FieldError struct{ Field, Want string }

func (e *FieldError) Error() string {
	return fmt.Sprintf("E_NODE_ID_FIELDS: %s: want %s", e.Field, e.Want)
}

// Digest is BLAKE3-256 of the bytes.
func Digest(data []byte) string {
	sum := blake3.Sum256(data)
	return "blake3:" + hex.EncodeToString(sum[:])
}

// NodeID is the identity of a spec, with the canonical bytes it is the hash of. Errors are of type *FieldError.
func NodeID(spec NodeSpec) (id string, canonical []byte, err error) {
	canonical, err = canonicalForm(spec)
	if err != nil {
		return "", nil, err
	}
	return Digest(canonical), canonical, nil
}

// TagQuerySpec is the spec of a TagQuery node in normal form. matchMode is "any" or "all".
func TagQuerySpec(tags []string, matchMode string, intervalS int64) NodeSpec {
	list := make([]any, len(tags))
	for i, tag := range tags {
		list[i] = tag
	}
	params := map[string]any{"query_tags": list, "match_mode": matchMode}
	return NodeSpec{NodeType: tagQuery, IntervalS: intervalS, Params: params, CodeHash: tagQueryCode}
}

// ComputeKey is the key of one node's state in one context; "" means absent. asOf is a proto-JSON Timestamp.
func ComputeKey(nodeID, worldID, domain, asOf, partition string) (string, error) {
	return digestOf(map[string]any{
		"node_id": nodeID, "world_id": worldID, "execution_domain": domain, "as_of": asOf, "partition": partition,
	})
}

// TimestampText is the proto-JSON form of an as_of: whole microseconds, of the years 1 to 9999 (else E_TIMESTAMP).
func TimestampText(seconds, nanos int64) (string, error) {
	if nanos < 0 || nanos > 999_999_000 || nanos%1000 != 0 || seconds < -62135596800 || seconds > 253402300799 {
		return "", fmt.Errorf("E_TIMESTAMP: want whole microseconds of the years 1 to 9999")
	}
	text := time.Unix(seconds, 0).UTC().Format("2006-01-02T15:04:05")
	switch {
	case nanos == 0:
		return text + "Z", nil
	case nanos%1_000_000 == 0:
		return fmt.Sprintf("%s.%03dZ", text, nanos/1_000_000), nil
	}
	return fmt.Sprintf("%s.%06dZ", text, nanos/1000), nil
}

// EvalKey is the key of a validation result; facts holds exactly the keys docs/identity.md names.
func EvalKey(facts map[string]any) (string, error) { return digestOf(facts) }

// NodeIDsCRC32 is the checksum of a submission.
func NodeIDsCRC32(ids []string) uint32 {
	sorted := slices.Sorted(slices.Values(ids))
	return crc32.ChecksumIEEE([]byte(strings.Join(sorted, "\n")))
}

// CanonicalJSON is the RFC 8785 form of nil, bool, float64, string, []any and map[string]any.
func CanonicalJSON(value any) ([]byte, error) { return appendValue(nil, value) }

func digestOf(value any) (string, error) {
	data, err := CanonicalJSON(value)
	if err != nil {
		return "", err
	}
	return Digest(data), nil
}

func canonicalForm(spec NodeSpec) ([]byte, error) {
	if err := checkFields(spec); err != nil {
		return nil, err
	}
	params, err := functionalParams(spec)
	if err != nil {
		return nil, err
	}
	texts := map[string]any{}
	for field, text := range map[string]string{
		"code_hash": spec.CodeHash, "node_type": spec.NodeType, "schema_compat_id": spec.SchemaCompatID,
	} {
		if texts[field], err = functional(text, field, 0); err != nil {
			return nil, err
		}
	}
	dependencies := []any{}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(spec.Dependencies))) {
		dependencies = append(dependencies, id)
	}
	texts["dependencies"], texts["params"] = dependencies, params
	texts["interval_s"], texts["period"] = float64(spec.IntervalS), float64(spec.Period)
	return CanonicalJSON(texts)
}

func checkFields(spec NodeSpec) error {
	if strings.TrimSpace(spec.NodeType) == "" {
		return &FieldError{"node_type", "a name"}
	}
	if spec.IntervalS < 0 || spec.IntervalS > intervalSecondsMax {
		return &FieldError{"interval_s", "0 to 604800 seconds"}
	}
	if spec.Period < 0 || spec.Period > periodMax {
		return &FieldError{"period", "0 to 10000 bars"}
	}
	for i, id := range spec.Dependencies {
		if !nodeIDForm.MatchString(id) {
			return &FieldError{fmt.Sprintf("dependencies[%d]", i), "blake3:<64 hex>"}
		}
	}
	if !isCodeHash(spec.CodeHash) {
		return &FieldError{"code_hash", "py1:<hex>, ver:<text>, builtin:<name>@<major.minor> or <lang>:<opaque>"}
	}
	if spec.NodeType == tagQuery {
		return checkTagQuery(spec)
	}
	return nil
}

func isCodeHash(text string) bool {
	if strings.HasPrefix(text, "py1:") || strings.HasPrefix(text, "builtin:") {
		return codeHashForm.MatchString(text)
	}
	return otherCode.MatchString(text)
}

func checkTagQuery(spec NodeSpec) error {
	_, hasTags := spec.Params["query_tags"]
	_, hasMode := spec.Params["match_mode"]
	switch {
	case len(spec.Dependencies) > 0:
		return &FieldError{"dependencies", "none for a TagQuery"}
	case spec.SchemaCompatID != "":
		return &FieldError{"schema_compat_id", "empty for a TagQuery"}
	case spec.CodeHash != tagQueryCode:
		return &FieldError{"code_hash", tagQueryCode}
	case len(spec.Params) != 2 || !hasTags || !hasMode:
		return &FieldError{"params", "query_tags and match_mode only"}
	}
	return nil
}

func functionalParams(spec NodeSpec) (any, error) {
	if spec.NodeType == tagQuery {
		return tagParams(spec.Params)
	}
	for _, key := range sortedKeys(spec.Params) {
		if slices.Contains(contextKeys, strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(key))) {
			return nil, &FieldError{"params." + key, "no context keys"}
		}
	}
	return functional(spec.Params, "params", 0)
}

func tagParams(params map[string]any) (any, error) {
	mode := params["match_mode"]
	if mode != "any" && mode != "all" {
		return nil, &FieldError{"params.match_mode", `"any" or "all"`}
	}
	given, isList := params["query_tags"].([]any)
	refusal := &FieldError{"params.query_tags", "tags of [A-Za-z0-9_.-]{1,100}"}
	if !isList || len(given) == 0 {
		return nil, refusal
	}
	var tags []string
	for _, item := range given {
		tag, isText := item.(string)
		tag = strings.TrimSpace(tag)
		if !isText || !tagForm.MatchString(tag) {
			return nil, refusal
		}
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	list := []any{}
	for _, tag := range slices.Compact(tags) {
		list = append(list, tag)
	}
	return map[string]any{"query_tags": list, "match_mode": mode}, nil
}

// functional is a parameter as it is hashed: text in NFC, numbers as their double, nothing dropped.
func functional(value any, path string, depth int) (any, error) {
	switch item := value.(type) {
	case nil, bool:
		return item, nil
	case string:
		if !utf8.ValidString(item) { // how a lone surrogate arrives in Go
			return nil, &FieldError{path, "well-formed Unicode"}
		}
		return norm.NFC.String(item), nil
	case float64:
		if math.IsNaN(item) || math.IsInf(item, 0) {
			return nil, &FieldError{path, "a finite number"}
		}
		if item == math.Trunc(item) && math.Abs(item) > integerMax {
			return nil, &FieldError{path, "an integer of at most 2^53-1, or a string"}
		}
		return item, nil
	}
	if depth >= paramsDepthMax {
		return nil, &FieldError{path, "at most 32 levels"}
	}
	switch item := value.(type) {
	case []any:
		list := make([]any, len(item))
		for i, one := range item {
			part, err := functional(one, fmt.Sprintf("%s[%d]", path, i), depth+1)
			if err != nil {
				return nil, err
			}
			list[i] = part
		}
		return list, nil
	case map[string]any:
		return functionalTable(item, path, depth)
	}
	return nil, &FieldError{path, "a JSON value"}
}

func functionalTable(table map[string]any, path string, depth int) (any, error) {
	found := make(map[string]any, len(table))
	for _, key := range sortedKeys(table) {
		if !utf8.ValidString(key) {
			return nil, &FieldError{path, "well-formed Unicode"}
		}
		name := norm.NFC.String(key)
		if _, twice := found[name]; twice {
			return nil, &FieldError{path + "." + name, "distinct keys"}
		}
		part, err := functional(table[key], path+"."+key, depth+1)
		if err != nil {
			return nil, err
		}
		found[name] = part
	}
	return found, nil
}

// sortedKeys sorts by UTF-16 code units, as RFC 8785 section 3.2.3 asks.
func sortedKeys(table map[string]any) []string {
	keys := make([]string, 0, len(table))
	for key := range table {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	})
	return keys
}

func appendValue(out []byte, value any) ([]byte, error) {
	switch item := value.(type) {
	case nil:
		return append(out, "null"...), nil
	case bool:
		return strconv.AppendBool(out, item), nil
	case string:
		return appendText(out, item), nil
	case float64:
		return appendNumber(out, item)
	case []any:
		out = append(out, '[')
		for i, one := range item {
			if i > 0 {
				out = append(out, ',')
			}
			var err error
			if out, err = appendValue(out, one); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	case map[string]any:
		out = append(out, '{')
		for i, key := range sortedKeys(item) {
			if i > 0 {
				out = append(out, ',')
			}
			var err error
			if out, err = appendValue(append(appendText(out, key), ':'), item[key]); err != nil {
				return nil, err
			}
		}
		return append(out, '}'), nil
	}
	return nil, fmt.Errorf("E_CANONICAL_JSON: a %T has no canonical form", value)
}

func appendText(out []byte, text string) []byte {
	out = append(out, '"')
	for _, letter := range text {
		switch {
		case letter == '"' || letter == '\\':
			out = append(out, '\\', byte(letter))
		case strings.ContainsRune("\b\t\n\f\r", letter):
			out = append(out, '\\', "btn-fr"[letter-'\b'])
		case letter < 0x20:
			out = fmt.Appendf(out, `\u%04x`, letter)
		default:
			out = utf8.AppendRune(out, letter)
		}
	}
	return append(out, '"')
}

// appendNumber writes ECMAScript's Number to String: the shortest digits, plain from 1e-6 up to 1e21.
func appendNumber(out []byte, value float64) ([]byte, error) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return nil, fmt.Errorf("E_CANONICAL_JSON: want a finite number")
	}
	if value == 0 {
		return append(out, '0'), nil
	}
	size := math.Abs(value)
	if size >= 1e-6 && size < 1e21 {
		return strconv.AppendFloat(out, value, 'f', -1, 64), nil
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(value, 'e', -1, 64), "e")
	power, err := strconv.Atoi(exponent)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(out, "%se%+d", mantissa, power), nil
}
