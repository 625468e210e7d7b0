//! Instances in Consul.
