//! The parts as programs: lines, signals, exit codes, and nothing left.
