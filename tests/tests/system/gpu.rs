//! An NVIDIA card, played by a stand-in for the driver's library: the agent loads it as it would the real one.

use nvml_sim::Scenario;
use sublet_tests::market::{BRISK, Market};
use sublet_tests::program::given;
use sublet_tests::rig::{Rig, With};
