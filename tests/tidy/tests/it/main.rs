//! The rules of the tree, each with its reason.

mod arrows;
mod libraries;
mod manifests;
mod shape;
mod tree;
mod words;
