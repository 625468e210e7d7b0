//! Documents in etcd.
