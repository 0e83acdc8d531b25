package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/qmtl/qmtl/client"
	dagv1 "github.com/qmtl/qmtl/gen/go/qmtl/dag/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

type vector struct {
	Name            string
	ValueJSON       string `json:"value_json"`
	Canonical       string
	Spec            specText
	NodeID          string `json:"node_id"`
	Field           string
	Tags            []string
	MatchMode       string `json:"match_mode"`
	IntervalS       int64  `json:"interval_s"`
	IDs             []string
	CRC32           uint32
	WorldID         string `json:"world_id"`
	ExecutionDomain string `json:"execution_domain"`
	AsOf            string `json:"as_of"`
	Partition       string
	ComputeKey      string `json:"compute_key"`
	EvalKey         string `json:"eval_key"`
	ContractID      string `json:"contract_id"`
	Fingerprint     string `json:"dataset_fingerprint"`
	CodeVersion     string `json:"code_version"`
	ResourcePolicy  string `json:"resource_policy"`
	Seconds, Nanos  int64
	Reason          string
}

type specText struct {
	NodeType       string `json:"node_type"`
	IntervalS      int64  `json:"interval_s"`
	Period         int64
	ParamsJSON     string `json:"params_json"`
	Dependencies   []string
	SchemaCompatID string `json:"schema_compat_id"`
	CodeHash       string `json:"code_hash"`
}

func (text specText) spec() (client.NodeSpec, error) {
	params, err := readJSON(text.ParamsJSON)
	table, _ := params.(map[string]any)
	return client.NodeSpec{
		NodeType: unmarked(text.NodeType), IntervalS: text.IntervalS, Period: text.Period, Params: table,
		Dependencies: text.Dependencies, SchemaCompatID: unmarked(text.SchemaCompatID), CodeHash: unmarked(text.CodeHash),
	}, err
}

// checks answers each language-neutral list of identity.json; the lists of Python code are Python's own.
var checks = map[string]func(vector) error{
	"canonical_json": func(v vector) error {
		value, err := readJSON(v.ValueJSON)
		if err != nil {
			return err
		}
		canonical, err := client.CanonicalJSON(value)
		return want(err, string(canonical), v.Canonical)
	},
	"nodes": func(v vector) error {
		spec, err := v.Spec.spec()
		if err != nil {
			return err
		}
		return checkNode(spec, v)
	},
	"refusals": func(v vector) error {
		spec, err := v.Spec.spec()
		if err != nil {
			return err
		}
		var refused *client.FieldError
		if _, _, err = client.NodeID(spec); !errors.As(err, &refused) {
			return fmt.Errorf("not refused")
		}
		return want(nil, refused.Field, v.Field)
	},
	"tag_queries": func(v vector) error { return checkNode(client.TagQuerySpec(v.Tags, v.MatchMode, v.IntervalS), v) },
	"crc32":       func(v vector) error { return want(nil, client.NodeIDsCRC32(v.IDs), v.CRC32) },
	"compute_keys": func(v vector) error {
		key, err := client.ComputeKey(v.NodeID, v.WorldID, v.ExecutionDomain, v.AsOf, v.Partition)
		return want(err, key, v.ComputeKey)
	},
	"as_of": func(v vector) error {
		text, err := client.TimestampText(v.Seconds, v.Nanos)
		if err != nil && v.Reason != "" {
			return nil
		}
		return want(err, text, v.AsOf)
	},
	"eval_keys": func(v vector) error {
		key, err := client.EvalKey(map[string]any{
			"node_id": v.NodeID, "world_id": v.WorldID, "execution_domain": v.ExecutionDomain, "contract_id": v.ContractID,
			"dataset_fingerprint": v.Fingerprint, "code_version": v.CodeVersion, "resource_policy": v.ResourcePolicy,
		})
		return want(err, key, v.EvalKey)
	},
}

// checkVectors compares every vector of a folder and says how many hold.
func checkVectors(folder string) (int, error) {
	identities, wrong := checkIdentities(filepath.Join(folder, "identity.json"))
	dags, err := checkDags(filepath.Join(folder, "dags.json"))
	records, malformed := checkRecords(filepath.Join(folder, "records.json"))
	return identities + dags + records, errors.Join(wrong, err, malformed)
}

// checkDags computes every NodeID of whole strategies, and their checksums.
func checkDags(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var file struct {
		Dags []struct {
			Name  string
			Dag   json.RawMessage
			CRC32 uint32 `json:"node_ids_crc32"`
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return 0, err
	}
	passed := 0
	for _, one := range file.Dags {
		var dag dagv1.Dag
		if err := protojson.Unmarshal(one.Dag, &dag); err != nil {
			return passed, err
		}
		var ids []string
		for _, node := range dag.GetNodes() {
			id, _, err := client.NodeID(specOf(node.GetSpec()))
			if err := want(err, id, node.GetNodeId()); err != nil {
				return passed, fmt.Errorf("%s/%s: %w", one.Name, node.GetName(), err)
			}
			ids = append(ids, id)
			passed++
		}
		if err := want(nil, client.NodeIDsCRC32(ids), one.CRC32); err != nil {
			return passed, fmt.Errorf("%s: %w", one.Name, err)
		}
		passed++
	}
	return passed, nil
}

func specOf(spec *dagv1.NodeSpec) client.NodeSpec {
	return client.NodeSpec{
		NodeType: spec.GetNodeType(), IntervalS: int64(spec.GetIntervalS()), Period: int64(spec.GetPeriod()),
		Params: spec.GetParams().AsMap(), Dependencies: spec.GetDependencies(), SchemaCompatID: spec.GetSchemaCompatId(),
		CodeHash: spec.GetCodeHash(),
	}
}

func checkIdentities(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var sections map[string]json.RawMessage
	if err := json.Unmarshal([]byte(marked(string(text))), &sections); err != nil {
		return 0, err
	}
	passed := 0
	var wrong []error
	for section, check := range checks {
		var vectors []vector
		if err := json.Unmarshal(sections[section], &vectors); err != nil {
			return passed, fmt.Errorf("%s: %w", section, err)
		}
		for _, one := range vectors {
			if err := check(one); err != nil {
				wrong = append(wrong, fmt.Errorf("%s/%s: %w", section, one.Name, err))
				continue
			}
			passed++
		}
	}
	return passed, errors.Join(wrong...)
}

func checkNode(spec client.NodeSpec, v vector) error {
	id, canonical, err := client.NodeID(spec)
	return want(err, []string{id, string(canonical)}, []string{v.NodeID, v.Canonical})
}

func want(err error, got, wanted any) error {
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(got, wanted) {
		return fmt.Errorf("got %v, want %v", got, wanted)
	}
	return nil
}

var (
	notFinite     = regexp.MustCompile(`-?\b(NaN|Infinity)\b`)
	loneSurrogate = regexp.MustCompile(`\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?`)
)

const loneMark = "\uf8ff" // stands for a lone surrogate until the value is read: encoding/json would repair it

// readJSON reads what JSON texts of the vectors say, also what encoding/json has no value for.
func readJSON(text string) (any, error) {
	text = marked(notFinite.ReplaceAllString(text, "1e999"))
	reader := json.NewDecoder(bytes.NewBufferString(text))
	reader.UseNumber()
	var value any
	if err := reader.Decode(&value); err != nil {
		return nil, err
	}
	return plain(value), nil
}

// marked puts a mark where an escape is half of a surrogate pair.
func marked(text string) string {
	return loneSurrogate.ReplaceAllStringFunc(text, func(found string) string {
		if len(found) == len(`\ud800`) {
			return loneMark
		}
		return found // a pair, or an escaped backslash
	})
}

// unmarked puts what a lone surrogate is in Go, ill-formed UTF-8, where the mark stands.
func unmarked(text string) string { return strings.ReplaceAll(text, loneMark, "\xed\xa0\x80") }

func plain(value any) any {
	switch item := value.(type) {
	case json.Number:
		number, _ := strconv.ParseFloat(item.String(), 64) // out of range: an infinity, which is refused
		return number
	case string:
		return unmarked(item)
	case []any:
		for i := range item {
			item[i] = plain(item[i])
		}
	case map[string]any:
		for key := range item {
			item[key] = plain(item[key])
		}
	}
	return value
}
