// Package tests runs the Ansible collection against hosts with systemd: a
// playbook that installs, links and changes sites, and removes them, beside what
// its check mode said of it. The collection is read where it lies; nothing is
// fetched.
package tests
