//! The judge judged: histories of a correct world are accepted, every planted violation is found, and another checker agrees.

mod agree;
mod made;
mod planted;
mod world;
mod worlds;
