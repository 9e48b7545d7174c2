//! The watch over real displays and buses.
