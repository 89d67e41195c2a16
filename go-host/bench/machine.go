package main

import "time"

// machine is where figures come from.
type machine struct {
	CPU    string    `json:"cpu"`
	Cores  int       `json:"cores"`
	Kernel string    `json:"kernel"`
	Go     string    `json:"go"`
	Node   string    `json:"node"`
	Time   time.Time `json:"time"`
}
