// imreuse: one IM login for the app and for the kit. C++17, header only, over
// imreuse.h.
#ifndef IMREUSE_HPP
#define IMREUSE_HPP

#include "imreuse.h"

#endif
