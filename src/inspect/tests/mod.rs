//! Tests of the module as a whole.

mod bodies;
mod corpus;
mod splits;
