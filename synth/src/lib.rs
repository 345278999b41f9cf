//! Seeded generator of US-Core-shaped FHIR resources.
