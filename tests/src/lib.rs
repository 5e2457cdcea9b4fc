//! Contract, client and fault suites over any implementation of the contract.
