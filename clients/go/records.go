package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/qmtl/qmtl/client"
)

// series is an input of a node, or what it made: an instant and a row of numbers for each value.
type series struct {
	TimeNS []string `json:"time_ns"`
	Rows   [][]float64
}

type recordVector struct {
	NodeID    string `json:"node_id"`
	CodeHash  string `json:"code_hash"`
	IntervalS int64  `json:"interval_s"`
	Fields    []string
	Inputs    []series
	Records   []struct {
		series
		StartNS         string `json:"start_ns"`
		EndNS           string `json:"end_ns"`
		InputWindowHash string `json:"input_window_hash"`
		NodeState       string `json:"node_state"`
	}
}

// checkRecords takes the records whose form and input hash hold, and none of those that are malformed.
func checkRecords(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var file struct {
		Records   []recordVector
		Malformed []struct {
			Name      string
			ArrowIPC  []byte `json:"arrow_ipc"`
			NodeState []byte `json:"node_state"`
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return 0, err
	}
	passed := 0
	for _, vector := range file.Records {
		hash := client.Digest([]byte(vector.NodeID))
		for _, record := range vector.Records {
			interval := vector.IntervalS * 1_000_000_000
			hash, err = windowHash(hash, vector.Inputs, number(record.StartNS)+interval, number(record.EndNS)+interval)
			if err := want(err, hash, record.InputWindowHash); err != nil {
				return passed, fmt.Errorf("records/%s: %w", vector.CodeHash, err)
			}
			values, err := arrowOf(vector.Fields, record.series)
			if err == nil {
				err = checkForm(values, []byte(record.NodeState), vector.Fields, stateSize(record.NodeState))
			}
			if err != nil {
				return passed, fmt.Errorf("records/%s: %w", vector.CodeHash, err)
			}
			passed++
		}
	}
	first := file.Records[0]
	for _, one := range file.Malformed {
		if checkForm(one.ArrowIPC, one.NodeState, first.Fields, stateSize(first.Records[0].NodeState)) == nil {
			return passed, fmt.Errorf("malformed/%s was taken", one.Name)
		}
		passed++
	}
	return passed, nil
}

// windowHash is the hash of a record: of the one before, and of its inputs at the instants from..to, both included.
func windowHash(before string, inputs []series, from, to int64) (string, error) {
	whole := bytes.NewBufferString(before)
	isWithin := func(time string) bool { return from <= number(time) && number(time) <= to }
	for _, time := range inputs[0].TimeNS {
		if isWithin(time) {
			if err := binary.Write(whole, binary.LittleEndian, number(time)); err != nil {
				return "", err
			}
		}
	}
	for _, input := range inputs {
		for at, row := range input.Rows {
			if isWithin(input.TimeNS[at]) {
				if err := binary.Write(whole, binary.LittleEndian, row); err != nil {
					return "", err
				}
			}
		}
	}
	return client.Digest(whole.Bytes()), nil
}

// checkForm says why a record may not be used: its values or its state have not the form of the node.
func checkForm(arrowIPC, nodeState []byte, fields []string, size int) error {
	var state []float64
	if err := json.Unmarshal(nodeState, &state); err != nil || len(state) != size {
		return fmt.Errorf("the state is no list of %d numbers", size)
	}
	reader, err := ipc.NewReader(bytes.NewReader(arrowIPC))
	if err != nil {
		return err
	}
	defer reader.Release()
	if !reader.Schema().Equal(schemaOf(fields)) {
		return fmt.Errorf("the schema is %v", reader.Schema())
	}
	last := int64(math.MinInt64)
	for reader.Next() {
		for _, column := range reader.Record().Columns() {
			if column.NullN() > 0 {
				return fmt.Errorf("a value is missing")
			}
			switch values := column.(type) {
			case *array.Int64:
				for _, time := range values.Int64Values() {
					if time <= last {
						return fmt.Errorf("times do not grow")
					}
					last = time
				}
			case *array.Float64:
				for _, value := range values.Float64Values() {
					if math.IsNaN(value) || math.IsInf(value, 0) {
						return fmt.Errorf("a value is not finite")
					}
				}
			}
		}
	}
	return reader.Err()
}

// arrowOf writes the values of a record as its producer sends them.
func arrowOf(fields []string, values series) ([]byte, error) {
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schemaOf(fields))
	defer builder.Release()
	for at, time := range values.TimeNS {
		builder.Field(0).(*array.Int64Builder).Append(number(time))
		for column, value := range values.Rows[at] {
			builder.Field(column + 1).(*array.Float64Builder).Append(value)
		}
	}
	batch := builder.NewRecord()
	defer batch.Release()
	var out bytes.Buffer
	writer := ipc.NewWriter(&out, ipc.WithSchema(batch.Schema()))
	if err := writer.Write(batch); err != nil {
		return nil, err
	}
	err := writer.Close()
	return out.Bytes(), err
}

func schemaOf(fields []string) *arrow.Schema {
	columns := []arrow.Field{{Name: "time_ns", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}
	for _, name := range fields {
		columns = append(columns, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Float64, Nullable: true})
	}
	return arrow.NewSchema(columns, nil)
}

func stateSize(text string) int {
	var state []float64
	if json.Unmarshal([]byte(text), &state) != nil {
		return -1
	}
	return len(state)
}

// number reads an instant of the vectors, which are decimal texts since JSON numbers lose digits; 0 for what is none.
func number(text string) int64 {
	value, _ := strconv.ParseInt(text, 10, 64)
	return value
}
