# Two versions of the service `echo`, as the Consul agent of docker-compose.yml registers and checks them.
# Endpoints in Envoy are addresses, never names: hence the fixed ones.
services {
  id      = "echo-v1"
  name    = "echo"
  tags    = ["v1"]
  address = "172.28.9.11"
  port    = 8080
  check {
    http     = "http://172.28.9.11:8080/"
    interval = "2s"
    timeout  = "1s"
  }
}

services {
  id      = "echo-v2"
  name    = "echo"
  tags    = ["v2"]
  address = "172.28.9.12"
  port    = 8080
  check {
    http     = "http://172.28.9.12:8080/"
    interval = "2s"
    timeout  = "1s"
  }
}
