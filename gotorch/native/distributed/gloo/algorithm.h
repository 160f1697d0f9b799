// Stands in for gloo's header of this name; see ../README.md.
#pragma once
