// net/http as a back end: names each whole request in X-Seen. Usage: backend PORT
// As a client: backend client PORT; lines "ID METHOD" in; out: ID, and for each of two requests "status seen bytes".
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	log.SetOutput(io.Discard)
	if os.Args[1] == "client" {
		runClient(os.Args[2])
		return
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("X-Seen", fmt.Sprintf("%s %s %d", r.Method, r.RequestURI, n))
		w.Header().Set("Content-Length", "0")
	}
	if err := http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(handler)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runClient(port string) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		id, method, _ := strings.Cut(lines.Text(), " ")
		go func() {
			client := &http.Client{
				Transport:     &http.Transport{MaxConnsPerHost: 1},
				Timeout:       15 * time.Second,
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
			base := "http://127.0.0.1:" + port
			first := ask(client, method, base+"/replay/"+id)
			second := ask(client, "GET", base+"/probe")
			client.CloseIdleConnections()
			fmt.Printf("%s\t%s\t%s\n", id, first, second)
		}()
	}
}

func ask(client *http.Client, method, url string) string {
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		return "error"
	}
	response, err := client.Do(request)
	if err != nil {
		return "error"
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	if err != nil {
		return "error"
	}
	seen := response.Header.Get("X-Seen")
	if seen == "" {
		seen = "-"
	}
	return fmt.Sprintf("%d %s %d", response.StatusCode, seen, n)
}
